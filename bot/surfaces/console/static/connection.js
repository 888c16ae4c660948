// The socket: comes again by itself, and says once more what was not confirmed. The server knows repeats by their keys.
import { newKey } from "./dom.js";

const FIRST_PAUSE_MS = 400;
const LONGEST_PAUSE_MS = 8000;

export class Connection {
  #socket = null;
  #pause = FIRST_PAUSE_MS;
  #unconfirmed = new Map();
  #on;

  constructor(on) {
    this.#on = on; // message(what), state("connected" | "connecting" | "over")
    this.#open();
    window.addEventListener("online", () => this.#again(0));
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.#again(0));
  }

  // Do something that must happen exactly once; returns its key, which "done" brings back.
  act(what) {
    const frame = { ...what, key: newKey() };
    this.#unconfirmed.set(frame.key, frame);
    this.#send(frame);
    return frame.key;
  }

  // Do something on a phone: if the connection is gone, so is the finger.
  touch(what) {
    this.#send(what);
  }

  #send(frame) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  #open() {
    clearTimeout(this.waiting);
    this.waiting = null;
    const socket = new WebSocket(new URL("/console/socket", location.href.replace(/^http/, "ws")));
    this.#socket = socket;
    socket.onmessage = (event) => this.#hear(JSON.parse(event.data));
    socket.onclose = (event) => this.#lost(socket, event);
  }

  #hear(what) {
    if (what.type === "hello") {
      this.#pause = FIRST_PAUSE_MS;
      this.#on.state("connected");
      this.#on.message(what);
      for (const frame of this.#unconfirmed.values()) this.#send(frame);
      return;
    }
    if (what.type === "done") this.#unconfirmed.delete(what.key);
    if (what.type === "refused") this.#unconfirmed.clear();
    this.#on.message(what);
  }

  async #lost(socket, event) {
    if (socket !== this.#socket) return;
    this.#on.state("connecting");
    if (event.code === 1009) this.#unconfirmed.clear(); // too large to be taken: saying it again would not help
    const answer = await fetch("/console/session", { cache: "no-store" }).catch(() => null);
    if (answer?.status === 403) {
      this.#on.state("over");
      return;
    }
    this.waiting = setTimeout(() => this.#open(), this.#pause * (0.75 + Math.random() / 2));
    this.#pause = Math.min(this.#pause * 2, LONGEST_PAUSE_MS);
  }

  #again(pause) {
    if (!this.waiting) return;
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.#open(), pause);
  }
}
