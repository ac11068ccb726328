"""The page: its files, as served by the API. `assets/vendor/README.md` says what is not ours."""
