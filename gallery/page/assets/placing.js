// Where cameras are drawn on a plan: near each other if people get quickly from one to the other.
const TURNS = 200;
const APART = 1; // where both see one place, or no way is known yet to be shorter
const SECONDS = 20; // a way that takes so long is drawn twice as long as one that takes none
const LONGEST = 4;

const lengthOf = (way) => Math.min(APART + way.median_s / SECONDS, LONGEST);

// The shortest ways between all cameras (Floyd and Warshall); what nobody walked is farther than all that somebody did.
function distancesOf(cameras, ways) {
  const place = new Map(cameras.map((camera, i) => [camera, i]));
  const far = cameras.map((_, i) => cameras.map((_, j) => (i === j ? 0 : Infinity)));
  for (const way of ways) {
    const i = place.get(way.origin), j = place.get(way.destination);
    if (i !== undefined && j !== undefined && i !== j) far[i][j] = far[j][i] = Math.min(far[i][j], lengthOf(way));
  }
  for (let k = 0; k < far.length; k++)
    for (let i = 0; i < far.length; i++) for (let j = 0; j < far.length; j++) far[i][j] = Math.min(far[i][j], far[i][k] + far[k][j]);
  const known = far.flat().filter(Number.isFinite);
  const unknown = Math.max(...known, APART) + APART;
  return far.map((row) => row.map((distance) => (Number.isFinite(distance) ? distance : unknown)));
}

// Places of cameras in units of `APART`, the same for the same names and ways: stress majorisation (Gansner et al., 2004)
// from a circle, then turned so that the plan is wider than high.
export function placesOf(cameras, ways) {
  const far = distancesOf(cameras, ways);
  let at = cameras.map((_, i) => [Math.cos((2 * Math.PI * i) / cameras.length + Math.PI), Math.sin((2 * Math.PI * i) / cameras.length + Math.PI)]);
  for (let turn = 0; turn < TURNS; turn++)
    at = at.map(([x, y], i) => {
      let sum = [0, 0], weights = 0;
      at.forEach(([u, v], j) => {
        if (i === j) return;
        const apart = Math.hypot(x - u, y - v) || 1e-9, weight = 1 / far[i][j] ** 2;
        sum = [sum[0] + weight * (u + (far[i][j] * (x - u)) / apart), sum[1] + weight * (v + (far[i][j] * (y - v)) / apart)];
        weights += weight;
      });
      return weights ? [sum[0] / weights, sum[1] / weights] : [x, y];
    });
  return new Map(lyingDown(at).map((place, i) => [cameras[i], place]));
}

function lyingDown(at) {
  const middle = [0, 1].map((axis) => at.reduce((sum, place) => sum + place[axis], 0) / at.length);
  const centred = at.map(([x, y]) => [x - middle[0], y - middle[1]]);
  const moment = (of) => centred.reduce((sum, place) => sum + of(place), 0);
  const angle = 0.5 * Math.atan2(2 * moment(([x, y]) => x * y), moment(([x, y]) => x * x - y * y));
  return centred.map(([x, y]) => [x * Math.cos(angle) + y * Math.sin(angle), y * Math.cos(angle) - x * Math.sin(angle)]);
}
