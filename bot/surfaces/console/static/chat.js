// The chat's log: cards with their buttons, previews, and what the person said. Cards change in place.
import { album, bubble } from "./bubble.js";
import { byId, h, isAtEnd, timeOf, w } from "./dom.js";
import { icon, withIcons } from "./icons.js";
import { plainText, rich, shareOf } from "./rich.js";

export class Chat {
  #log = byId("log");
  #newest = byId("newest");
  #pinned = byId("pinned");
  #entries = new Map(); // id -> { entry, element }
  #waiting = new Map(); // key of a press -> its button
  #press;
  #typing = null;
  #live = null;
  #watcher;
  #stay = true; // at the end, where new messages come into sight by themselves
  #top = 0; // of the log, when it was last scrolled

  constructor(press) {
    this.#press = press;
    this.#newest.append(icon("down"));
    // Both go away when they have done it, and hand the focus on to where they led.
    this.#newest.onclick = () => {
      this.#toEnd();
      this.#log.focus({ preventScroll: true });
    };
    this.#pinned.onclick = () => {
      const card = this.#entries.get(this.#live)?.element;
      this.#stay = false; // a message that comes on the way there does not pull back
      this.#top = this.#log.scrollTop;
      card?.scrollIntoView({ block: "center", behavior: calm() });
      card?.querySelector("button, a")?.focus({ preventScroll: true });
    };
    this.#log.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.#log.addEventListener("load", () => this.#stay && this.#toEnd(), true); // a picture has got its height
    this.#watcher = new IntersectionObserver((seen) => this.#seen(seen), { root: this.#log, threshold: 0.15 });
    new ResizeObserver(() => this.#stay && this.#toEnd()).observe(this.#log);
  }

  // Everything anew after a connection; what is the same stays as it is, with its focus.
  replaceAll(entries) {
    const ids = new Set(entries.map((entry) => entry.id));
    for (const [id, { element }] of this.#entries) {
      if (ids.has(id)) continue;
      element.remove();
      this.#entries.delete(id);
    }
    this.#log.setAttribute("aria-live", "off");
    for (const entry of entries) this.#entries.has(entry.id) ? this.edit(entry) : this.add(entry);
    this.#log.setAttribute("aria-live", "polite");
    for (const button of this.#waiting.values()) button.removeAttribute("aria-busy");
    this.#waiting.clear();
    this.#toEnd();
  }

  add(entry) {
    const element = this.#draw(entry);
    this.#entries.set(entry.id, { entry, element });
    this.#log.insertBefore(element, this.#typing);
    this.#followLive(entry);
    if (this.#stay || entry.side === "me") this.#toEnd();
    else this.#newest.hidden = false;
  }

  edit(entry) {
    const known = this.#entries.get(entry.id);
    if (!known || JSON.stringify(known.entry) === JSON.stringify(entry)) return;
    const element = this.#draw(entry);
    const focused = known.element.contains(document.activeElement) ? document.activeElement : null;
    this.#watcher.unobserve(known.element);
    keepBars(known.element, element);
    known.element.replaceWith(element);
    this.#entries.set(entry.id, { entry, element });
    this.#followLive(entry);
    if (focused) refocus(element, focused);
    if (this.#stay) this.#toEnd();
  }

  typing(on) {
    if (!on) {
      this.#typing?.remove();
      this.#typing = null;
      return;
    }
    if (this.#typing) return;
    this.#typing = h("div", { class: "entry bot" }, h("div", { class: "typing", "aria-label": w("typing"), role: "img" }, h("i"), h("i"), h("i")));
    this.#log.append(this.#typing);
    if (this.#stay) this.#toEnd();
  }

  done(key) {
    this.#waiting.get(key)?.removeAttribute("aria-busy");
    this.#waiting.delete(key);
  }

  #draw(entry) {
    const inside = entry.album ? looks(entry) : entry.preview ? this.#preview(entry) : entry.side === "me" ? own(entry) : this.#card(entry);
    const element = h("article", { class: `entry ${entry.side}`, "aria-label": w(entry.side), "data-id": entry.id }, inside);
    // A card that changes every few seconds would be read out without end.
    if (entry.live) element.setAttribute("aria-live", "off");
    return element;
  }

  #card(entry) {
    return h(
      "div",
      { class: `card${entry.live ? " live" : ""}` },
      entry.picture && h("img", { class: "chart", src: entry.picture, alt: w("picture") }),
      h("span", { class: "stamp" }, timeOf(entry.at)),
      h("div", { class: "text" }, rich(entry.text, { signs: true })),
      entry.files && h("div", { class: "kept" }, album(entry.files)),
      entry.rows.length ? h("div", { class: "rows" }, entry.rows.map((row) => h("div", { class: "buttons" }, row.map((button) => this.#button(entry, button))))) : null,
    );
  }

  #button(entry, button) {
    const style = `button ${button.style}`;
    const label = withIcons(button.label);
    if (button.url) return h("a", { class: style, href: button.url, target: "_blank", rel: "noopener noreferrer" }, label, icon("out"));
    const press = (event) => {
      const pressed = event.currentTarget;
      if (pressed.getAttribute("aria-busy")) return;
      pressed.setAttribute("aria-busy", "true");
      this.#waiting.set(this.#press({ type: "press", token: button.token, message: entry.id }), pressed);
    };
    return h("button", { class: style, type: "button", "data-token": button.token, onclick: press }, label);
  }

  #preview(entry) {
    return h("figure", { class: "preview" }, h("figcaption", {}, w("preview")), h("div", { class: "screen" }, entry.preview.map((message) => bubble(message))));
  }

  // --- the live card, when it is out of sight

  #followLive(entry) {
    if (!entry.live && this.#live !== entry.id) return;
    const { element } = this.#entries.get(entry.id);
    const share = shareOf(entry.text);
    if (!entry.live || share === null) {
      this.#live = null;
      this.#pinned.hidden = true;
      return;
    }
    if (this.#live !== entry.id) this.#watcher.disconnect();
    this.#live = entry.id;
    this.#watcher.observe(element);
    const title = plainText(entry.text).split("\n", 1)[0];
    const fill = h("span", { class: "fill" });
    fill.style.inlineSize = `${share}%`;
    this.#pinned.replaceChildren(
      h("span", { class: "title" }, withIcons(title)),
      h("span", { class: "track", "aria-hidden": "true" }, fill),
      h("span", { class: "percent" }, `${share} %`),
      h("span", { class: "visually-hidden" }, w("now_live")),
    );
  }

  #seen(entries) {
    const seen = entries.at(-1);
    this.#pinned.hidden = seen.isIntersecting || seen.target.dataset.id !== this.#live;
  }

  #toEnd() {
    this.#newest.hidden = true;
    this.#stay = true;
    this.#log.scrollTop = this.#log.scrollHeight;
  }

  #scrolled() {
    const down = this.#log.scrollTop > this.#top;
    this.#top = this.#log.scrollTop;
    this.#stay = isAtEnd(this.#log, 40) && (this.#stay || down);
    if (this.#stay) this.#newest.hidden = true;
  }
}

const FINER = 2.8; // a picture has so many pixels for one of the page

const shrink = (event) => (event.currentTarget.width = event.currentTarget.naturalWidth / FINER);

// Pictures beside each other, pushed sideways; each opens by itself in its full size.
function looks(entry) {
  const picture = ({ url, title, words }) =>
    h("a", { href: url, target: "_blank", rel: "noopener" }, h("img", { src: url, alt: words ? `${title}: ${words}` : title, onload: shrink }), h("span", {}, title));
  return h("div", { class: "looks", tabindex: "0", role: "group", "aria-label": w("preview") }, entry.album.map(picture));
}

function own(entry) {
  return h("div", { class: "own" }, album(entry.media ?? []), h("div", { class: "text" }, rich(entry.text)), h("span", { class: "stamp" }, timeOf(entry.at)));
}

// A bar that was drawn anew goes on from where it stood.
function keepBars(before, after) {
  const old = before.querySelectorAll(".track .fill");
  after.querySelectorAll(".track .fill").forEach((fill, place) => {
    if (!old[place]) return;
    const width = fill.style.inlineSize;
    fill.style.inlineSize = old[place].style.inlineSize;
    requestAnimationFrame(() => requestAnimationFrame(() => (fill.style.inlineSize = width)));
  });
}

function refocus(element, before) {
  const buttons = [...element.querySelectorAll("button, a")];
  const same = buttons.find((button) => button.dataset.token && button.dataset.token === before.dataset.token) ?? buttons.find((button) => button.textContent === before.textContent);
  (same ?? buttons[0])?.focus({ preventScroll: true });
}

const calm = () => (matchMedia("(prefers-reduced-motion: reduce)").matches ? "instant" : "smooth");
