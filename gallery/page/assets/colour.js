// A person's colour follows from the number: neighbours differ by the golden angle, and lightness is the theme's.
const GOLDEN_ANGLE = 137.508;

export function hueOf(number) {
  return (number * GOLDEN_ANGLE) % 360;
}

export function colourOf(number) {
  return number == null ? "var(--muted)" : `oklch(var(--person-lightness) var(--person-chroma) ${hueOf(number).toFixed(1)})`;
}

// On video, colours do not depend on the theme: bright, with a dark outline around them.
export function videoColourOf(number) {
  return number == null ? "#c8ced8" : `oklch(80% 0.15 ${hueOf(number).toFixed(1)})`;
}
