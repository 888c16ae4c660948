// Where a person writes: formatted text, files, commands.
import { byId, h, maxFileMb, maxText, w } from "./dom.js";
import { fileIcon, icon, iconButton } from "./icons.js";
import { pasted, written } from "./rich.js";

const MAX_FILES = 10;

export class Composer {
  #editor = byId("editor");
  #files = []; // { name, kind, id, element }
  #commands = [];
  #shown = []; // commands of the open menu
  #at = 0;
  #range = null;
  #say;
  #note;

  constructor(say, note) {
    this.#say = say;
    this.#note = note;
    iconButton(byId("attach"), "clip");
    iconButton(byId("send"), "up");
    for (const name of ["code", "link"]) iconButton(document.querySelector(`[data-format=${name}]`), name);
    byId("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#editor.addEventListener("keydown", (event) => this.#key(event));
    this.#editor.addEventListener("input", () => this.#changed());
    this.#editor.addEventListener("paste", (event) => this.#paste(event));
    this.#editor.addEventListener("drop", (event) => this.#drop(event));
    document.addEventListener("selectionchange", () => this.#marks());
    this.#makeToolbar();
    this.#makeLink();
    this.#makeFiles();
    byId("open-commands").onclick = () => (this.#menu.hidden ? this.#openMenu(this.#commands, true) : this.#closeMenu());
    this.ask("");
    this.#changed();
  }

  #menu = byId("commands");

  ask(words) {
    this.#editor.dataset.placeholder = words || w("write_here");
    byId("asked").textContent = words;
  }

  commands(commands) {
    this.#commands = commands;
  }

  focus() {
    this.#editor.focus({ preventScroll: true });
  }

  // --- sending

  #send() {
    const html = written(this.#editor);
    const ready = this.#files.filter((file) => file.id);
    if (this.#files.length > ready.length) {
      this.#note(w("uploading", { name: this.#files.find((file) => !file.id).name }));
      return;
    }
    if (!html && !ready.length) return;
    if (html.length > maxText) {
      this.#note(w("too_long", { most: maxText.toLocaleString() }));
      return;
    }
    this.#say({ type: "say", html, files: ready.map((file) => file.id) });
    this.#files = [];
    byId("files").replaceChildren();
    byId("files").hidden = true;
    this.#editor.replaceChildren();
    this.#closeMenu();
    this.#changed();
    this.focus();
  }

  #changed() {
    // Browsers leave a line break in an emptied editor, and the placeholder would not come back.
    if (!this.#editor.textContent && !this.#editor.querySelector("br + br")) this.#editor.replaceChildren();
    const words = this.#editor.textContent;
    byId("send").disabled = !words.trim() && !this.#files.length;
    if (/^\/\w*$/.test(words)) this.#openMenu(this.#commands.filter((one) => one.name.startsWith(words.slice(1).toLowerCase())));
    else this.#closeMenu();
  }

  #key(event) {
    if (!this.#menu.hidden && this.#menuKey(event)) return;
    if (event.key === "Enter" && !event.isComposing) {
      event.preventDefault();
      if (event.shiftKey) document.execCommand("insertLineBreak");
      else this.#send();
    }
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      this.#openLink();
    }
  }

  #paste(event) {
    const files = [...event.clipboardData.files];
    event.preventDefault();
    if (files.length) {
      this.#add(files);
      return;
    }
    const source = event.clipboardData.getData("text/html");
    if (source) insert(pasted(source));
    else document.execCommand("insertText", false, event.clipboardData.getData("text/plain"));
    this.#changed();
  }

  #drop(event) {
    event.preventDefault();
    if (event.dataTransfer.files.length) this.#add([...event.dataTransfer.files]);
    else document.execCommand("insertText", false, event.dataTransfer.getData("text/plain"));
  }

  // --- formatting

  #makeToolbar() {
    const toolbar = byId("formatting");
    const buttons = [...toolbar.querySelectorAll("button")];
    toolbar.addEventListener("mousedown", (event) => event.preventDefault()); // the selection stays where it is
    toolbar.addEventListener("click", (event) => {
      const format = event.target.closest("button")?.dataset.format;
      if (!format) return;
      if (format === "link") this.#openLink();
      else if (format === "code") this.#wrapCode();
      else {
        this.focus();
        document.execCommand("styleWithCSS", false, "false");
        document.execCommand(format);
      }
      this.#marks();
    });
    toolbar.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const next = buttons[(buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length];
      buttons.forEach((button) => (button.tabIndex = button === next ? 0 : -1));
      next.focus();
    });
  }

  #marks() {
    if (!this.#editor.contains(document.getSelection()?.anchorNode)) return;
    for (const button of document.querySelectorAll("[data-format][aria-pressed]")) {
      button.setAttribute("aria-pressed", String(document.queryCommandState(button.dataset.format)));
    }
  }

  #wrapCode() {
    const range = this.#selected();
    if (!range || range.collapsed) return;
    const code = h("code", {}, range.toString());
    range.deleteContents();
    range.insertNode(code);
    document.getSelection().selectAllChildren(code);
    this.#changed();
  }

  #selected() {
    const selection = document.getSelection();
    if (!selection.rangeCount || !this.#editor.contains(selection.anchorNode)) return null;
    return selection.getRangeAt(0);
  }

  #makeLink() {
    const row = byId("link-row");
    const url = byId("link-url");
    const close = () => {
      row.hidden = true;
      this.focus();
      if (this.#range) {
        document.getSelection().removeAllRanges();
        document.getSelection().addRange(this.#range);
      }
    };
    const set = () => {
      const address = url.value.trim();
      close();
      if (!address) return;
      const whole = /^[a-z][a-z0-9+.-]*:/i.test(address) ? address : `https://${address}`;
      if (this.#range?.collapsed ?? true) insert(h("a", { href: whole }, whole.replace(/^https?:\/\//, "")));
      else document.execCommand("createLink", false, whole);
      this.#changed();
    };
    byId("link-set").onclick = set;
    byId("link-remove").onclick = () => {
      close();
      document.execCommand("unlink");
    };
    row.onkeydown = (event) => {
      if (event.key !== "Escape" && (event.key !== "Enter" || event.target !== url)) return;
      event.preventDefault();
      event.stopPropagation();
      event.key === "Enter" ? set() : close();
    };
  }

  #openLink() {
    this.#range = this.#selected()?.cloneRange() ?? null;
    const inside = this.#range?.startContainer.parentElement?.closest("a");
    const url = byId("link-url");
    url.value = inside?.getAttribute("href") ?? "";
    byId("link-row").hidden = false;
    url.focus();
  }

  // --- files

  #makeFiles() {
    const input = byId("file");
    byId("attach").onclick = () => input.click();
    input.onchange = () => {
      this.#add([...input.files]);
      input.value = "";
    };
    const page = byId("chat");
    page.addEventListener("dragover", (event) => event.preventDefault());
    page.addEventListener("drop", (event) => {
      if (event.defaultPrevented || !event.dataTransfer.files.length) return;
      event.preventDefault();
      this.#add([...event.dataTransfer.files]);
    });
  }

  #add(files) {
    for (const file of files.slice(0, MAX_FILES - this.#files.length)) this.#upload(file);
    this.#changed();
    this.focus();
  }

  async #upload(file) {
    if (file.size > maxFileMb * 1024 * 1024) {
      this.#note(w("file_too_large", { name: file.name, most: maxFileMb }));
      return;
    }
    const entry = { name: file.name, id: null, element: null };
    const remove = h("button", { type: "button", "aria-label": w("remove_file", { name: file.name }), onclick: () => (this.#remove(entry), this.focus()) }, icon("cross"));
    const shown = file.type.startsWith("image/") ? h("img", { alt: "" }) : fileIcon(file.type.startsWith("video/") ? "video" : "file");
    if (shown instanceof HTMLImageElement) {
      shown.src = URL.createObjectURL(file);
      shown.onload = () => URL.revokeObjectURL(shown.src);
    }
    entry.element = h("li", { class: "loading" }, shown, h("span", {}, file.name), remove);
    this.#files.push(entry);
    byId("files").append(entry.element);
    byId("files").hidden = false;
    try {
      const answer = await fetch("/console/files", { method: "POST", body: file, headers: { "X-File-Name": encodeURIComponent(file.name) } });
      const told = await answer.json();
      if (told.problem) throw new Problem(told.problem);
      entry.id = told.id;
      entry.element.classList.remove("loading");
    } catch (error) {
      this.#remove(entry);
      this.#note(error instanceof Problem ? error.message : w("upload_broken", { name: file.name }));
    }
  }

  #remove(entry) {
    entry.element.remove();
    this.#files = this.#files.filter((one) => one !== entry);
    byId("files").hidden = !this.#files.length;
    this.#changed();
  }

  // --- the menu of commands

  #openMenu(commands, focus = false) {
    this.#shown = commands;
    this.#at = 0;
    this.#menu.replaceChildren(
      ...commands.map((one, place) =>
        h("li", { role: "option", id: `command-${one.name}`, onmousedown: (event) => event.preventDefault(), onclick: () => this.#choose(place) }, h("b", {}, `/${one.name}`), h("span", {}, one.does)),
      ),
    );
    this.#menu.hidden = !commands.length;
    byId("open-commands").setAttribute("aria-expanded", String(!this.#menu.hidden));
    if (focus) this.focus();
    this.#point(0);
  }

  #closeMenu() {
    this.#menu.hidden = true;
    byId("open-commands").setAttribute("aria-expanded", "false");
    this.#editor.removeAttribute("aria-activedescendant");
  }

  #menuKey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) this.#point((this.#at + step + this.#shown.length) % this.#shown.length);
    else if (event.key === "Enter") this.#choose(this.#at);
    else if (event.key === "Escape") this.#closeMenu();
    else {
      if (event.key === "Tab") this.#closeMenu(); // and on to the next: what is chosen is sent at once
      return false;
    }
    event.preventDefault();
    return true;
  }

  #point(place) {
    this.#at = place;
    [...this.#menu.children].forEach((option, number) => option.setAttribute("aria-selected", String(number === place)));
    const option = this.#menu.children[place];
    if (!option) return;
    this.#editor.setAttribute("aria-activedescendant", option.id);
    option.scrollIntoView({ block: "nearest" });
  }

  #choose(place) {
    this.#say({ type: "say", html: `/${this.#shown[place].name}`, files: [] });
    this.#editor.replaceChildren();
    this.#closeMenu();
    this.#changed();
    this.focus();
  }
}

class Problem extends Error {}

function insert(node) {
  const selection = document.getSelection();
  const range = selection.getRangeAt(0);
  range.deleteContents();
  const last = node.lastChild ?? node;
  range.insertNode(node);
  selection.collapse(last.parentNode, [...last.parentNode.childNodes].indexOf(last) + 1);
}
