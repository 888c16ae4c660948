// The page: one connection, the chat, and in the demo the phones beside it.
import { Chat } from "./chat.js";
import { Composer } from "./composer.js";
import { Connection } from "./connection.js";
import { byId, h, w } from "./dom.js";
import { Phones } from "./phones.js";

const TOAST_MS = 6000;

// The link was used up by opening the page; it has no place in the address bar or the history.
if (location.search) history.replaceState(null, "", "/");

const title = document.title;
let unseen = 0;

const chat = new Chat((what) => connection.act(what));
const composer = new Composer((what) => connection.act(what), toast);
const phones = byId("phones") && new Phones((what) => connection.touch(what), phoneRang);
const connection = new Connection({ message: hear, state: showState });

function hear(what) {
  switch (what.type) {
    case "hello":
      showWho(what.me, what.people ?? []);
      composer.commands(what.commands);
      composer.ask(what.ask);
      chat.typing(what.typing);
      chat.replaceAll(what.entries);
      if (phones && what.phones) phones.replaceAll(what.phones);
      return;
    case "entry":
      chat.add(what.entry);
      if (what.entry.side === "bot" && document.hidden) document.title = `(${++unseen}) ${title}`;
      return;
    case "edit":
      chat.edit(what.entry);
      return;
    case "typing":
      chat.typing(what.on);
      return;
    case "ask":
      composer.ask(what.text);
      return;
    case "toast":
      toast(what.text);
      return;
    case "done":
      chat.done(what.key);
      return;
    case "refused":
      toast(w("not_taken"));
      return;
    case "language":
      location.reload();
      return;
    case "phone":
      phones?.hear(what);
  }
}

// In the demo one may be any of its people: each has a chat and rights of their own.
function showWho(me, people) {
  const called = ({ name, role }) => `${name} · ${w(`role_${role}`)}`;
  if (people.length < 2) {
    byId("who").textContent = called(me);
    return;
  }
  const become = async ({ currentTarget: { value } }) => {
    await fetch(`/console/people/${encodeURIComponent(value)}`, { method: "POST" });
    location.reload();
  };
  const options = people.map((one) => h("option", { value: one.name, selected: one.name === me.name }, called(one)));
  byId("who").replaceChildren(h("select", { "aria-label": w("be"), title: w("be"), onchange: become }, options));
}

function showState(state) {
  document.body.dataset.state = state;
  byId("state").textContent = state === "over" ? "" : w(state);
  if (state !== "over") return;
  const again = h("a", { href: "/", class: "button primary" }, w("reload"));
  byId("composer").replaceWith(h("div", { class: "over", role: "alert" }, h("p", {}, w("over")), again));
}

function toast(words) {
  const shown = h("p", { class: "toast" }, words);
  byId("toasts").append(shown);
  setTimeout(() => shown.remove(), TOAST_MS);
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unseen = 0;
  document.title = title;
});

// Who just types means the bot, wherever the last press has left the focus; a space presses a button.
document.addEventListener("keydown", (event) => {
  if (event.key.length !== 1 || event.key === " " || event.ctrlKey || event.metaKey || event.altKey) return;
  if (!event.target.closest("input, select, [contenteditable], #phones")) composer.focus();
});

// --- on a phone's width: chat and phones as tabs

function phoneRang() {
  if (!byId("tab-phones") || byId("tab-phones").getAttribute("aria-selected") === "true") return;
  const count = byId("phones-count");
  count.textContent = String(Number(count.textContent || 0) + 1);
  count.hidden = false;
}

function choose(name) {
  for (const tab of ["chat", "phones"]) {
    const chosen = tab === name;
    byId(`tab-${tab}`).setAttribute("aria-selected", String(chosen));
    byId(`tab-${tab}`).tabIndex = chosen ? 0 : -1;
    byId(tab).classList.toggle("hidden-tab", !chosen);
  }
  if (name === "phones") {
    byId("phones-count").textContent = "";
    byId("phones-count").hidden = true;
  }
}

if (phones) {
  for (const tab of ["chat", "phones"]) byId(`tab-${tab}`).onclick = () => choose(tab);
  document.querySelector(".tabs").addEventListener("keydown", (event) => {
    if (event.key !== "ArrowLeft" && event.key !== "ArrowRight") return;
    const other = document.activeElement.id === "tab-chat" ? "phones" : "chat";
    choose(other);
    byId(`tab-${other}`).focus();
  });
  choose("chat");
}
if (matchMedia("(hover: hover)").matches) composer.focus();
