// Rich text: the server's trees as elements, and what a person wrote as our HTML subset.
import { h, w } from "./dom.js";
import { withIcons } from "./icons.js";

const ELEMENTS = { b: "strong", i: "em", u: "u", s: "s", code: "code", pre: "pre", blockquote: "blockquote" };
const OPENED = /^(https?|mailto|tel|tg):/i;
const BAR = /([█▓▒░■□▰▱]{5,})(?:\s*(\d{1,3})\s*%)?/u;
const FULL = /[█▓■▰]/gu;

// `signs` draws the signs and bars of the bot's own cards; in clients' messages every sign stays as it was written.
export function rich(nodes, { signs = false } = {}) {
  // A block ends its line itself.
  const after = (place) => (BLOCKS.has(nodes[place - 1]?.tag?.toUpperCase()) ? nodes[place].replace(/^\n/, "") : nodes[place]);
  return nodes.flatMap((node, place) => (typeof node === "string" ? words(after(place), signs) : [marked(node, signs)]));
}

function marked(node, signs) {
  const inside = rich(node.nodes, { signs });
  if (node.tag === "a") return link(node.url, inside);
  if (node.tag === "tg-spoiler") return spoiler(inside);
  return h(ELEMENTS[node.tag] ?? "span", {}, inside);
}

function link(url, inside) {
  if (!url || !OPENED.test(url)) return h("span", { class: "dead-link" }, inside);
  return h("a", { href: url, target: "_blank", rel: "noopener noreferrer" }, inside);
}

function spoiler(inside) {
  const open = (event) => {
    if (event.type === "keydown" && event.key !== "Enter" && event.key !== " ") return;
    event.currentTarget.classList.add("open");
  };
  return h("span", { class: "spoiler", role: "button", tabindex: "0", onclick: open, onkeydown: open }, inside);
}

function words(text, signs) {
  if (!signs) return [text];
  const found = BAR.exec(text);
  if (!found) return withIcons(text);
  const after = text.slice(found.index + found[0].length);
  return [...withIcons(text.slice(0, found.index).trimEnd()), bar(found), ...words(after.replace(/^\n/, ""), signs)];
}

function bar([whole, blocks, percent]) {
  const share = percent === undefined ? blocks.match(FULL)?.length / [...blocks].length || 0 : Number(percent) / 100;
  const fill = h("span", { class: "fill" });
  fill.style.inlineSize = `${(share * 100).toFixed(1)}%`;
  const shown = percent === undefined ? "" : `${percent} %`;
  const track = h(
    "span",
    { class: "track", role: "progressbar", "aria-label": w("progress"), "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": Math.round(share * 100) },
    fill,
  );
  return h("span", { class: "progress" }, track, h("span", { class: "percent" }, shown));
}

export const plainText = (nodes) => nodes.map((node) => (typeof node === "string" ? node : plainText(node.nodes))).join("");

export function shareOf(nodes) {
  const found = BAR.exec(plainText(nodes));
  return found && found[2] !== undefined ? Number(found[2]) : null;
}

// --- what a person wrote

const TAGS = {
  B: "b", STRONG: "b", I: "i", EM: "i", U: "u", INS: "u", S: "s", STRIKE: "s", DEL: "s", CODE: "code", PRE: "pre",
  BLOCKQUOTE: "blockquote", A: "a",
};
const BLOCKS = new Set(["DIV", "P", "LI", "UL", "OL", "H1", "H2", "H3", "H4", "H5", "H6", "TR", "TABLE", "BLOCKQUOTE", "PRE"]);
const PASSED = new Set(["SCRIPT", "STYLE", "HEAD", "TITLE", "META", "TEMPLATE"]);

const escaped = (text) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

// The content of an element as our HTML subset; `tidy` is for pasted pages, whose line ends mean nothing.
export function written(root, { tidy = false } = {}) {
  let made = "";
  let last = "\n"; // the last sign written, inside or outside of tags
  const open = [];
  const put = (text) => {
    if (!text) return;
    made += escaped(text);
    last = text.at(-1);
  };
  const newLine = () => last === "\n" || put("\n");
  const walk = (node) => {
    if (node.nodeType === Node.TEXT_NODE) {
      const text = node.nodeValue.replaceAll("\u00a0", " ");
      if (!tidy || open.includes("pre")) put(text);
      else put(/\s/.test(last) ? text.replace(/\s+/g, " ").trimStart() : text.replace(/\s+/g, " "));
      return;
    }
    if (node.nodeType !== Node.ELEMENT_NODE || PASSED.has(node.tagName)) return;
    if (node.tagName === "BR") {
      put("\n");
      return;
    }
    const block = BLOCKS.has(node.tagName);
    if (block) newLine();
    const tag = tagOf(node);
    const before = made;
    if (tag && !open.includes(tag) && !open.includes("code") && !open.includes("pre")) {
      open.push(tag);
      made = "";
      node.childNodes.forEach(walk);
      open.pop();
      const [, inside, ends] = /^([^]*?)(\s*)$/.exec(made); // a line that ends inside a tag ends after it
      made = before + (inside ? `${opening(tag, node)}${inside}</${tag}>` : "") + ends;
    } else node.childNodes.forEach(walk);
    if (block) newLine();
  };
  root.childNodes.forEach(walk);
  return made.replace(/^\n+|\s+$/g, "");
}

function tagOf(node) {
  const tag = TAGS[node.tagName];
  if (tag === "a") return OPENED.test(node.getAttribute("href") ?? "") || /^\{\{/.test(node.getAttribute("href") ?? "") ? "a" : null;
  return tag ?? null;
}

function opening(tag, node) {
  if (tag !== "a") return `<${tag}>`;
  return `<a href="${escaped(node.getAttribute("href")).replaceAll('"', "&quot;")}">`;
}

// --- what a person pastes

const policy = window.trustedTypes?.createPolicy("carillon-paste", { createHTML: (source) => source });

// A pasted page as elements of our subset only. It is parsed apart from the page: nothing in it runs or loads.
export function pasted(source) {
  const parsed = new DOMParser().parseFromString(policy ? policy.createHTML(source) : source, "text/html");
  const subset = new DOMParser().parseFromString(
    policy ? policy.createHTML(written(parsed.body, { tidy: true })) : written(parsed.body, { tidy: true }),
    "text/html",
  );
  const fragment = document.createDocumentFragment();
  fragment.append(...[...subset.body.childNodes].map((node) => clean(node)));
  return fragment;
}

function clean(node) {
  if (node.nodeType === Node.TEXT_NODE) return document.createTextNode(node.nodeValue.replace(/[ \t]*\n[ \t]*/g, "\n"));
  const made = document.createElement(node.tagName);
  if (node.tagName === "A") made.setAttribute("href", node.getAttribute("href"));
  made.append(...[...node.childNodes].map((child) => clean(child)));
  return made;
}
