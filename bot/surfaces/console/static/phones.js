// The simulated clients' phones, in the demo: what arrives, and what the client does.
import { bubble, key } from "./bubble.js";
import { byId, h, isAtEnd, w } from "./dom.js";
import { icon, iconButton } from "./icons.js";

const NOTE_MS = 4000;
const SIGNS = { telegram: "send" };

export class Phones {
  #row = byId("phone-row");
  #jumps = byId("phone-jumps");
  #phones = new Map();
  #touch;
  #arrived;

  constructor(touch, arrived) {
    this.#touch = touch;
    this.#arrived = arrived;
  }

  replaceAll(phones) {
    this.#phones.clear();
    const shown = phones.map((phone) => new Phone(phone, (what) => this.#touch({ type: "phone", phone: phone.id, ...what })));
    shown.forEach((phone) => this.#phones.set(phone.id, phone));
    this.#row.replaceChildren(...shown.map((phone) => phone.element));
    shown.forEach((phone) => phone.toEnd());
    this.#showJumps(phones);
  }

  // One button a messenger, which brings its first phone into sight.
  #showJumps(phones) {
    const first = new Map(phones.toReversed().map((phone) => [phone.kind, phone]));
    const names = [...new Set(phones.map((phone) => phone.kind))];
    const jump = ({ kind, messenger, id }) =>
      h("button", { type: "button", class: "jump", "data-kind": kind, onclick: () => this.#phones.get(id).element.scrollIntoView({ inline: "start", block: "nearest" }) }, icon(SIGNS[kind] ?? kind), messenger);
    this.#jumps.replaceChildren(...(names.length > 1 ? names.map((kind) => jump(first.get(kind))) : []));
  }

  hear(what) {
    if (this.#phones.get(what.phone)?.hear(what)) this.#arrived();
  }
}

class Phone {
  #messages = new Map();
  #name;
  #kind;
  #touch;

  constructor(phone, touch) {
    this.id = phone.id;
    this.#name = phone.name;
    this.#kind = phone.kind;
    this.#touch = touch;
    this.screen = h("div", { class: "screen", role: "log", "aria-live": "polite", "aria-label": phone.name, tabindex: "0" });
    this.empty = h("p", { class: "empty" }, w("nothing_yet"));
    this.note = h("p", { class: "note", role: "status" });
    this.keyboard = h("div", { class: "reply-keyboard", hidden: true });
    this.stop = h("button", { type: "button", class: "small", onclick: () => touch({ do: "say", text: "STOP" }) }, w("stop"));
    this.block = h("button", { type: "button", class: "small", onclick: () => touch({ do: this.blocked ? "unblock" : "block" }) });
    this.input = h("input", { type: "text", maxlength: 4000, "aria-label": w("say_here", { name: phone.name }), placeholder: w("say_here", { name: phone.name.split(" ", 1)[0] }), enterkeyhint: "send" });
    this.element = h(
      "article",
      { class: "phone", "aria-label": phone.name, "data-phone": phone.id, "data-kind": phone.kind },
      h("header", {}, avatar(phone), h("div", {}, h("h3", {}, phone.name), h("p", {}, `${phone.messenger} · ${phone.bot}`))),
      this.screen,
      this.note,
      this.keyboard,
      h("form", { onsubmit: (event) => this.#say(event) }, this.input, iconButton(h("button", { type: "submit", class: "send", "aria-label": w("send") }), "up")),
      h("footer", {}, this.stop, this.block),
    );
    this.screen.append(this.empty);
    phone.messages.forEach((message) => this.#put(message));
    this.#state(phone.state);
  }

  // Whether it is a message from the bot that has just come.
  hear(what) {
    switch (what.kind) {
      case "message": {
        const fresh = !this.#messages.has(what.message.id) && what.message.side === "bot";
        this.#typing(false);
        this.#put(what.message, fresh);
        return fresh;
      }
      case "deleted":
        this.#messages.get(what.id)?.remove();
        this.#messages.delete(what.id);
        return false;
      case "state":
        this.#state(what.state);
        return false;
      case "note":
        this.#tell(what.text);
        return false;
      case "typing":
        this.#typing(true);
        return false;
    }
    return false;
  }

  toEnd() {
    this.screen.scrollTop = this.screen.scrollHeight;
  }

  #put(message, fresh = false) {
    const stay = isAtEnd(this.screen);
    this.empty.remove();
    const before = this.#messages.get(message.id);
    const element = bubble(message, (number) => this.#touch({ do: "press", message: message.id, number }));
    element.dataset.group = message.group ?? "";
    element.classList.toggle("fresh", fresh);
    const focused = before?.contains(document.activeElement) ? document.activeElement.dataset.number : undefined;
    if (before) before.replaceWith(element);
    else if (!this.#joinsAlbum(message, element)) this.screen.append(element);
    this.#messages.set(message.id, element);
    if (focused !== undefined) element.querySelector(`[data-number="${focused}"]`)?.focus();
    if (!before && message.side === "bot") this.#showKeyboard(message);
    if (stay || message.side === "me") requestAnimationFrame(() => this.toEnd());
  }

  // Pictures of one album arrive as messages of their own and stand together.
  #joinsAlbum(message, element) {
    const last = this.screen.lastElementChild;
    if (!message.group || last?.dataset.group !== message.group) return false;
    const pictures = last.querySelector(".pictures");
    if (!pictures) return false;
    pictures.append(...element.querySelectorAll(".pictures > *"));
    pictures.className = `pictures of-${Math.min(pictures.children.length, 4)}`;
    return true;
  }

  // Below the chat; Telegram's stays until another comes, Viber's goes with its message.
  #showKeyboard(message) {
    const rows = message.keyboard ?? [];
    if (!rows.length) {
      this.keyboard.hidden ||= this.#kind === "viber";
      return;
    }
    let number = (message.rows ?? []).flat().length;
    const press = (place) => this.#touch({ do: "press", message: message.id, number: place });
    this.keyboard.replaceChildren(...rows.map((row) => h("div", { class: "keys" }, row.map((button) => key(button, number++, press)))));
    this.keyboard.hidden = false;
  }

  #state(state) {
    this.blocked = state === "blocked";
    this.element.classList.toggle("blocked", this.blocked);
    this.block.textContent = w(this.blocked ? "unblock" : "block");
    this.block.setAttribute("aria-pressed", String(this.blocked));
    this.input.disabled = this.stop.disabled = this.blocked;
    this.#tell(this.blocked ? w("is_blocked", { name: this.#name.split(" ", 1)[0] }) : "", !this.blocked);
  }

  #tell(words, passing = true) {
    clearTimeout(this.passing);
    this.note.textContent = words;
    if (passing && words) this.passing = setTimeout(() => (this.note.textContent = ""), NOTE_MS);
  }

  #typing(on) {
    this.element.classList.toggle("is-typing", on);
    if (on) setTimeout(() => this.#typing(false), NOTE_MS);
  }

  #say(event) {
    event.preventDefault();
    const text = this.input.value.trim();
    if (!text) return;
    this.#touch({ do: "say", text });
    this.input.value = "";
  }
}

function avatar(phone) {
  const letters = phone.name.split(/\s+/).map((part) => [...part][0]).slice(0, 2).join("");
  const tone = [...phone.id].reduce((sum, sign) => sum + sign.codePointAt(0), 0) % 5;
  return h("span", { class: `avatar tone-${tone}`, "aria-hidden": "true" }, letters.toUpperCase(), h("span", { class: "badge" }, icon(SIGNS[phone.kind] ?? phone.kind)));
}
