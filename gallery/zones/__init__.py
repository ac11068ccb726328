"""What people want to be told: zones and lines in pictures, rules about them, and the alerts that rules raise. Pure."""
