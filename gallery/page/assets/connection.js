// One WebSocket for all cameras on the wall. It comes back by itself, and changes to pictures what the browser cannot play.
import { liveAddress } from "./api.js";

const RETRY_MS = [500, 1000, 2000, 5000];

export class LiveConnection {
  constructor(cameras, players, onState) {
    this.cameras = cameras;
    this.players = players;
    this.onState = onState;
    this.pictures = new Set();
    this.tries = 0;
    this.closed = false;
    this.open();
  }

  open() {
    this.socket = new WebSocket(liveAddress(this.cameras, [...this.pictures]));
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => {
      this.tries = 0;
      this.onState("open");
    };
    this.socket.onmessage = ({ data }) => this.receive(data);
    this.socket.onclose = () => this.retry();
  }

  receive(data) {
    if (typeof data !== "string") {
      const [camera, kind] = new Uint8Array(data, 0, 2);
      this.players.get(this.cameras[camera])?.piece(kind, data.slice(2));
      return;
    }
    const message = JSON.parse(data);
    const player = this.players.get(message.camera);
    if (!player) return;
    if (message.kind === "type" && !player.canPlay(message.mime)) this.asPictures(message.camera);
    else if (message.kind === "unplayable") this.asPictures(message.camera);
    else player.tell(message);
  }

  asPictures(camera) {
    if (this.pictures.has(camera)) return;
    this.pictures.add(camera);
    this.socket.close();
  }

  retry() {
    if (this.closed) return;
    this.onState("lost");
    this.timer = setTimeout(() => this.open(), RETRY_MS[Math.min(this.tries++, RETRY_MS.length - 1)]);
  }

  close() {
    this.closed = true;
    clearTimeout(this.timer);
    this.socket.close();
  }
}
