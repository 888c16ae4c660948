// Elements are built by hand: whatever text comes from elsewhere can only ever be text.

export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "class") element.className = value;
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export const byId = (id) => document.getElementById(id);

const settings = JSON.parse(byId("settings").textContent);

export const { maxText, maxFileMb } = settings;

export function w(name, values = {}) {
  return settings.words[name].replace(/\{(\w+)\}/g, (whole, key) => (key in values ? String(values[key]) : whole));
}

const language = document.documentElement.lang;
const clock = new Intl.DateTimeFormat(language === "en" ? "en-GB" : language, { hour: "2-digit", minute: "2-digit" });

export function timeOf(at) {
  const moment = new Date(at);
  return h("time", { datetime: at, title: moment.toLocaleString(language) }, clock.format(moment));
}

export const newKey = () =>
  Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");

export function isAtEnd(box, within = 80) {
  return box.scrollHeight - box.scrollTop - box.clientHeight < within;
}
