// A message as a client's phone shows it; used for previews and for the simulated phones.
import { h, timeOf, w } from "./dom.js";
import { fileIcon, icon } from "./icons.js";
import { rich } from "./rich.js";

// `press(number)` is called for the buttons that are no links; without it they are only shown.
export function bubble(message, press = null) {
  const media = (message.media ?? []).map((item) => (typeof item === "object" && item !== null ? item : { kind: message.kind, url: item, name: message.name }));
  const text = rich(message.text ?? []);
  const rows = message.rows ?? [];
  const side = message.side === "me" ? "mine" : "theirs";
  const body = h(
    "div",
    { class: `bubble ${side}` },
    album(media),
    message.location && place(message.location),
    text.length ? h("p", { class: "text" }, text) : null,
    message.at && h("span", { class: "stamp" }, message.edited ? `${w("edited")} ` : "", timeOf(message.at), ticks(message.state)),
  );
  const cards = message.cards?.length ? carousel(message.cards, rows.flat().length + (message.keyboard ?? []).flat().length, press) : null;
  return h("div", { class: `said ${side}` }, cards && !text.length && !media.length ? null : body, cards, rows[0]?.[0]?.kind === "row" ? list(rows, press) : keyboard(rows, press));
}

// What the sender is told of a message: sent, delivered, read.
function ticks(state) {
  if (!state) return null;
  return h("span", { class: `ticks ${state}`, role: "img", "aria-label": w(state) }, icon("tick"), icon("ticks"));
}

function carousel(cards, number, press) {
  return h(
    "div",
    { class: "cards", tabindex: "0", role: "group", "aria-label": w("cards") },
    cards.map((card) =>
      h(
        "div",
        { class: "one-card" },
        "picture" in card && album([{ kind: "picture", url: card.picture, name: card.title }]),
        h("p", { class: "about" }, h("strong", {}, card.title), card.text && h("span", {}, card.text)),
        card.buttons.map((button) => key(button, number++, press)),
      ),
    ),
  );
}

function list(rows, press) {
  let number = 0;
  const open = h("summary", { class: "key" }, icon("list"), w("choose"));
  return h("details", { class: "keyboard list" }, open, rows.flat().map((button) => key(button, number++, press)));
}

export function album(media) {
  const pictures = media.filter((item) => item.kind === "picture" || item.kind === "album");
  const others = media.filter((item) => !pictures.includes(item));
  if (!media.length) return null;
  return h(
    "div",
    { class: "media" },
    pictures.length ? h("div", { class: `pictures of-${Math.min(pictures.length, 4)}` }, pictures.map(picture)) : null,
    others.map(file),
  );
}

function picture(item) {
  if (!item.url) return h("span", { class: "no-picture" }, icon("picture", w("picture")));
  return h("img", { src: item.url, alt: item.name || w("picture"), loading: "lazy", decoding: "async" });
}

function file(item) {
  if (item.kind === "video" && item.url?.endsWith(".mp4")) return h("video", { src: item.url, controls: true, preload: "metadata" });
  const inside = [fileIcon(item.kind), h("span", {}, item.name || w(item.kind === "video" ? "video" : "file"))];
  return item.url ? h("a", { class: "file", href: item.url, download: item.name || true }, inside) : h("span", { class: "file" }, inside);
}

function place([latitude, longitude]) {
  return h("p", { class: "file" }, icon("pin"), h("span", {}, w("location", { latitude: latitude.toFixed(4), longitude: longitude.toFixed(4) })));
}

function keyboard(rows, press) {
  if (!rows.length) return null;
  let number = 0;
  return h(
    "div",
    { class: "keyboard" },
    rows.map((row) => h("div", { class: row[0]?.kind === "chip" ? "keys chips" : "keys" }, row.map((button) => key(button, number++, press)))),
  );
}

export function key(button, number, press) {
  if (button.url) {
    return h(
      "a",
      { class: "key", href: button.url, target: "_blank", rel: "noopener noreferrer" },
      h("span", {}, button.label),
      icon("out"),
      h("span", { class: "visually-hidden" }, w("opens_link")),
    );
  }
  const label = button.price ? `${button.label} · ${button.price}` : button.label;
  if (!press) return h("span", { class: "key" }, label);
  return h("button", { class: "key", type: "button", "data-number": number, onclick: () => press(number) }, label);
}
