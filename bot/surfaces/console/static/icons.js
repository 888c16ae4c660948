// The signs of the bot's cards as one family of line drawings, so that they look the same on every machine.

const SVG = "http://www.w3.org/2000/svg";
const PATHS = {
  send: ["M4 12 20 4l-5.5 16-3.5-6.5Z", "M11 13.5 20 4"],
  envelope: ["M3.5 6h17v12h-17z", "m4 7 8 6 8-6"],
  pause: ["M8.5 5.5v13", "M15.5 5.5v13"],
  play: ["M8 5.5v13l10.5-6.5Z"],
  cross: ["m6.5 6.5 11 11", "m17.5 6.5-11 11"],
  slower: ["m11.5 6.5-5.5 5.5 5.5 5.5", "m18 6.5-5.5 5.5 5.5 5.5"],
  faster: ["m12.5 6.5 5.5 5.5-5.5 5.5", "m6 6.5 5.5 5.5-5.5 5.5"],
  done: ["M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17Z", "m8.2 12.2 2.7 2.7 5-5.4"],
  rocket: ["M14.5 4.5c2.5-1.2 4.5-1 5-.5.5.5.7 2.5-.5 5-1.2 2.5-5 6.5-7.5 8l-4.5-4.5c1.5-2.5 5-6.8 7.5-8Z", "M8 12H4.5l2.5-3.5 3-.5", "M12 16v3.5l3.5-2.5.5-3", "M6 16.5 4 20l3.5-2", "M14.8 8.2a.9.9 0 1 0 0 1.8.9.9 0 0 0 0-1.8Z"],
  clock: ["M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17Z", "M12 7.5V12l3 2"],
  tick: ["m5 12.5 4.5 4.5L19 7.5"],
  ticks: ["m2 12.8 4.2 4.2L15.5 7.5", "m11.2 16.3.7.7L21.5 7.5"],
  list: ["M9 7h11", "M9 12h11", "M9 17h11", "M4.5 7v.1", "M4.5 12v.1", "M4.5 17v.1"],
  viber: ["M7.2 4.4c-1.5.3-2.7 1.7-2.5 3.4.6 5.6 5.2 10.4 10.9 11.5 1.7.3 3.2-.7 3.7-2.3l.3-1.2-3.7-2.1-1.7 1.5c-2.2-1-3.8-2.6-4.8-4.8l1.5-1.7-2.1-3.7Z", "M14 4.5a6 6 0 0 1 5.5 5.5"],
  facebook: ["M12 3.5c-4.8 0-8.5 3.4-8.5 7.9 0 2.5 1.1 4.6 3 6v3.1l2.8-1.5c.9.2 1.7.3 2.7.3 4.8 0 8.5-3.5 8.5-7.9S16.8 3.5 12 3.5Z", "m7.4 13.4 3.2-3.3 2.6 2.2 3.4-2.4"],
  vk: ["M3.5 7.5c.4 5.8 3.3 9.5 8.6 9.5h.5v-3.6c1.9.2 3.4 1.6 4 3.6h3.2c-.8-2.6-2.6-4.1-3.8-4.7 1.2-.7 2.8-2.4 3.2-4.8h-2.6c-.6 1.9-2.1 3.6-3.9 3.8V7.5H10v6.7c-1.7-.4-3.3-2.2-3.4-6.7Z"],
  whatsapp: ["M12 3.5a8.5 8.5 0 0 0-7.3 12.8l-1.2 4.2 4.3-1.1A8.5 8.5 0 1 0 12 3.5Z", "M9 8c-.8.4-1.1 1.1-.9 2 .6 2.8 2.7 5 5.5 5.7.8.2 1.6-.2 2-.9l-2-1.6-1 .8c-1-.5-1.8-1.4-2.3-2.4l.8-1-1.3-2.3Z"],
  sms: ["M4.5 5h15v11h-8l-4.5 3.5V16h-2.5z", "M8.5 10.5v.1", "M12 10.5v.1", "M15.5 10.5v.1"],
  warning: ["M12 4 3.3 19.2h17.4Z", "M12 10v4.2", "M12 16.7v.1"],
  stop: ["M8.5 3.5h7l5 5v7l-5 5h-7l-5-5v-7Z", "M8 12h8"],
  calendar: ["M4 6h16v14H4z", "M4 10.5h16", "M8.5 3.5V8", "M15.5 3.5V8"],
  draft: ["M5 19.5h4L19 9.5l-4-4-10 10Z", "m12.5 8 4 4"],
  back: ["m14 6.5-5.5 5.5 5.5 5.5"],
  next: ["m10 6.5 5.5 5.5-5.5 5.5"],
  up: ["M12 19V5.5", "m6 11.5 6-6 6 6"],
  down: ["m6.5 10 5.5 5.5 5.5-5.5"],
  clip: ["m19 11-7.6 7.6a4.6 4.6 0 0 1-6.5-6.5L12.7 4.3a3.1 3.1 0 0 1 4.4 4.4l-7.8 7.8a1.5 1.5 0 0 1-2.2-2.2L14.3 7"],
  code: ["m8.5 7-5 5 5 5", "m15.5 7 5 5-5 5"],
  link: ["M10 14a4 4 0 0 0 5.7 0l3-3A4 4 0 0 0 13 5.3l-1.2 1.2", "M14 10a4 4 0 0 0-5.7 0l-3 3a4 4 0 0 0 5.7 5.7l1.2-1.2"],
  out: ["M8 8h8v8", "m16 8-8.5 8.5"],
  file: ["M6.5 3.5h7.5l4 4v13h-11.5z", "M13.5 3.5v4.5h4.5"],
  film: ["M4 6h16v12H4z", "m10.5 9.5 4 2.5-4 2.5z"],
  pin: ["M12 21s6.5-6 6.5-11a6.5 6.5 0 0 0-13 0c0 5 6.5 11 6.5 11Z", "M12 8.2a2.1 2.1 0 1 0 0 4.2 2.1 2.1 0 0 0 0-4.2Z"],
  idea: ["M9 16.5c-2.2-1.3-3.5-3.2-3.5-5.7a6.5 6.5 0 0 1 13 0c0 2.5-1.3 4.4-3.5 5.7Z", "M9.5 20h5"],
  hand: ["M7.5 13V7.2a1.3 1.3 0 0 1 2.6 0V11m0-5.6a1.3 1.3 0 0 1 2.6 0V11m0-4.6a1.3 1.3 0 0 1 2.6 0V11m0-2.6a1.3 1.3 0 0 1 2.6 0V15a5.5 5.5 0 0 1-10 3.2L5 14.6a1.3 1.3 0 0 1 2.5-1.6Z"],
  globe: ["M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17Z", "M3.5 12h17", "M12 3.5c5 5 5 12 0 17c-5-5-5-12 0-17Z"],
  bird: ["M4 18c6 2 12-1 12-7l4-2-4-1.5c-1-3-5-3-6.5 0L4 18Z", "M12.5 8.5v.1"],
  picture: ["M4 5h16v14H4z", "m4 16 4.5-4.5 3.5 3.5 3-3 5 4.5", "M9 8.3a.8.8 0 1 0 0 1.6.8.8 0 0 0 0-1.6Z"],
};

const SIGNS = {
  "📨": "send", "✉": "envelope", "⏸": "pause", "▶": "play", "✖": "cross", "✕": "cross", "❌": "cross",
  "🐢": "slower", "🐇": "faster", "✅": "done", "⚠": "warning", "⛔": "stop", "🛑": "stop", "🗓": "calendar",
  "📅": "calendar", "📝": "draft", "◀": "back", "🔗": "link", "📎": "clip", "🚀": "rocket", "⏳": "clock", "✓": "tick", "📍": "pin", "⬆": "up", "⬇": "down",
  "💡": "idea", "✋": "hand", "🌐": "globe", "🐤": "bird", "📄": "file", "✎": "draft", "✏": "draft", "✗": "cross",
};
const SIGN = new RegExp(`(${Object.keys(SIGNS).join("|")})\\uFE0F?`, "u");

export function icon(name, label = "") {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", `icon icon-${name}`);
  if (label) {
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", label);
  } else svg.setAttribute("aria-hidden", "true");
  for (const d of PATHS[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

// The text with its signs drawn. A ▶ at the end of a label points onwards, elsewhere it plays.
export function withIcons(text) {
  const pieces = text.split(SIGN);
  return pieces.map((piece, place) => {
    if (!(piece in SIGNS)) return piece.replace(/^\uFE0F/, "");
    const last = pieces.slice(place + 1).every((rest) => !rest.trim());
    return icon(piece === "▶" && last ? "next" : SIGNS[piece]);
  });
}

export const fileIcon = (kind) => icon({ video: "film", picture: "picture", album: "picture" }[kind] ?? "file");

export function iconButton(button, name) {
  button.append(icon(name));
  return button;
}
