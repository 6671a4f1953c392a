"use strict";
// Pages work without this. It adds the keyboard, and shows what changes without a reload.
(() => {
  const $ = (selector, from = document) => from.querySelector(selector);
  const TYPED = "input, textarea, select, [contenteditable]";

  // Keyboard
  const keys = $("#keys");
  const places = { i: "/", b: "/board", l: "/library/agent", s: "/statistics" };
  let after_g = 0;
  let at = null;

  function move(step) {
    const rows = [...document.querySelectorAll("[data-row]")].filter((row) => row.offsetParent !== null);
    if (!rows.length) return;
    const now = rows.indexOf(at);
    at?.classList.remove("at");
    at = rows[Math.max(0, Math.min(rows.length - 1, now < 0 ? 0 : now + step))];
    at.classList.add("at");
    const target = $(".open, a, button", at);
    target?.focus({ preventScroll: true });
    at.scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.target.closest?.(TYPED)) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    if (keys.open) return;
    if (Date.now() - after_g < 1000 && places[event.key]) location.href = places[event.key];
    else if (event.key === "/") ($("#words") ?? $("#q")).focus();
    else if (event.key === "?") keys.showModal();
    else if (event.key === "j" || event.key === "k") move(event.key === "j" ? 1 : -1);
    else if (event.key === "g") return void (after_g = Date.now());
    else return;
    after_g = 0;
    event.preventDefault();
  });
  $("#keys-open").hidden = false;
  $("#keys-open").addEventListener("click", () => keys.showModal());
  document.addEventListener("click", (event) => {
    for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });

  function place() {
    try {
      return decodeURIComponent(location.hash.slice(1));
    } catch {
      return ""; // which leads nowhere
    }
  }
  function open_target() {
    const target = document.getElementById(place());
    const details = target && $(":scope > details", target);
    if (details) details.open = true;
  }
  const tab = $(".tabs [aria-current]"); // which a narrow window may not show
  if (tab) tab.parentElement.scrollLeft = tab.offsetLeft - (tab.parentElement.clientWidth - tab.offsetWidth) / 2;
  addEventListener("hashchange", open_target);
  open_target();

  // The page anew, in place: what is typed, opened, focused or scrolled stays.
  let asked = 0;
  let busy = false;
  let missed = null;

  function keep(from, to) {
    if (from.nodeType !== Node.ELEMENT_NODE) return true;
    if (from.matches("input:not([type=hidden]), textarea, select") && (from === document.activeElement || changed(from))) return false;
    if ("filled" in from.dataset && "body" in to.dataset) return false; // which is fetched by itself
    if (from.tagName === "DETAILS") to.open = from.open;
    if (from.classList.contains("at")) to.classList.add("at");
    return true;
  }
  const changed = (field) =>
    field.tagName === "SELECT"
      ? [...field.options].some((option) => option.selected !== option.defaultSelected && option.defaultSelected) || (field.selectedIndex > 0 && !$("option[selected]", field))
      : field.type === "checkbox" ? field.checked !== field.defaultChecked : field.value !== field.defaultValue;
  const holds = (node) =>
    node.nodeType === Node.ELEMENT_NODE && ("told" in node.dataset || node.contains(document.activeElement) && document.activeElement.matches(TYPED) || [...node.querySelectorAll("input:not([type=hidden]), textarea")].some(changed));

  async function renew(address = location.href) {
    if ("still" in $("#main").dataset) return;
    if (busy) return void (missed = address);
    busy = true;
    const mine = ++asked;
    try {
      const asks = { headers: { accept: "text/html" }, credentials: "same-origin" };
      const answer = await fetch(address, asks).catch(() => null);
      if (!answer || answer.status === 429 || answer.status >= 500) setTimeout(soon, 2000); // away, or it has too much to do
      if (!(answer?.ok || answer?.status === 404) || mine !== asked) return; // what was deleted is told
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      document.title = fresh.title;
      Idiomorph.morph($("#main"), $("#main", fresh), {
        morphStyle: "outerHTML",
        ignoreActiveValue: true,
        callbacks: { beforeNodeMorphed: keep, beforeNodeRemoved: (node) => !holds(node) },
      });
      fill_open($("#main"));
    } finally {
      busy = false;
      const next = missed;
      missed = null;
      if (next) renew(next);
    }
  }

  // What stands in a closed part of a page is fetched when it is opened, and again when something changed.
  function fill_open(around) {
    for (const body of around.querySelectorAll("details[open][data-part] > [data-body]"))
      if (body.parentElement.closest("[data-body], #main") === around) fill(body); // parts of that fill what is open in them
  }
  async function fill(body) {
    const answer = await fetch(body.parentElement.dataset.part, { credentials: "same-origin" }).catch(() => null);
    if (!answer?.ok) return;
    body.dataset.filled = "";
    const callbacks = { beforeNodeMorphed: keep, beforeNodeRemoved: (node) => !holds(node) };
    Idiomorph.morph(body, await answer.text(), { morphStyle: "innerHTML", ignoreActiveValue: true, callbacks });
    fill_open(body);
  }
  function unfold({ target }) {
    if (target.open && target.dataset.part) fill($("[data-body]", target));
  }
  document.addEventListener("toggle", unfold, true);
  const wanted = place();
  if (wanted.startsWith("step_") && !document.getElementById(wanted) && $("[data-part]") && !location.search.includes("step="))
    location.replace(`${location.pathname}?step=${wanted}#${wanted}`);

  let timer = 0;
  function soon() {
    timer ||= setTimeout(() => ((timer = 0), renew()), 250); // not put off by what comes meanwhile, which may never end
  }

  // A form is sent from here, so that what was typed stays while the server is away, or if it refuses. Sent again it has
  // the same `request_id`: what was done, though nobody heard of it, is not done twice.
  const AWAY = "The server did not answer, so this may not be done. What you typed is still here: send it again, nothing is done twice.";
  function tell_at(form, words) {
    const told = $(":scope > [data-told]", form) ?? document.createElement("p");
    Object.assign(told, { className: "warn", textContent: words });
    told.dataset.told = "";
    told.setAttribute("role", "alert");
    form.prepend(told);
  }
  function go_to(address, form) {
    const there = new URL(address);
    const back = new URL(form.elements.back.value, location.href);
    if (back.pathname === there.pathname) there.hash = back.hash;
    const is_here = there.href.split("#")[0] === location.href.split("#")[0];
    location.assign(there);
    if (is_here && there.hash) location.reload(); // which else only scrolls
  }
  function show(page) {
    const before = $("#main");
    before.replaceWith($("#main", page));
    document.title = page.title;
    history.pushState(null, "", location.href);
    addEventListener("popstate", () => $("#main").replaceWith(before), { once: true });
    scrollTo(0, 0);
    $("#main").focus();
  }
  const sent = new WeakMap(); // forms, with what was last sent of each, and under which id
  const under_way = new WeakSet();
  function named(form, body) {
    const text = body.toString();
    if (sent.get(form)?.text !== text) sent.set(form, { text, id: crypto.getRandomValues(new Uint32Array(4)).join("-") });
    body.set("request_id", sent.get(form).id);
    return body;
  }
  async function send(form, button) {
    const body = named(form, new URLSearchParams(new FormData(form, button)));
    const answer = await fetch(form.getAttribute("action"), { method: "POST", body, credentials: "same-origin" }).catch(() => null);
    if (!answer) return tell_at(form, AWAY);
    if (answer.redirected) return go_to(answer.url, form);
    const text = await answer.text();
    const page = new DOMParser().parseFromString(text, "text/html");
    if (answer.ok) show(page);
    else if (answer.headers.get("content-type")?.startsWith("text/plain")) tell_at(form, text); // too large, or too slow
    else tell_at(form, ($("[role=alert]", page) ?? $("h1", page))?.textContent ?? `The server has too much to do (${answer.status}). Send it again in a moment.`);
  }
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.getAttribute("method") !== "post" || !form.elements.back) return;
    event.preventDefault();
    if (under_way.has(form)) return;
    under_way.add(form);
    send(form, event.submitter).catch(() => tell_at(form, AWAY)).finally(() => under_way.delete(form));
  });

  // Search as one types
  const form = $("#search-form");
  let typing = 0;
  form?.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => {
      const address = `${form.getAttribute("action")}?${new URLSearchParams(new FormData(form))}`;
      history.replaceState(null, "", address);
      renew(address);
    }, 250);
  });

  // One stream for all tabs of this browser: who has the lock reads it and tells the others. `seen` is the newest event
  // that this page has, or was told of: a tab that takes over, or comes later, goes on from there.
  const channel = new BroadcastChannel("events");
  let seen = Number(document.body.dataset.event);
  let leads = false;
  let stale = false;

  function look() {
    if (document.hidden) stale = true;
    else soon();
  }
  // See `pages/live.py`.
  function concerns(told) {
    const pattern = $("#main").dataset.concerns;
    return told === undefined || pattern === undefined || new RegExp(pattern).test(told);
  }
  function hear({ id, is_reset, told }) {
    if (!is_reset && !(id > seen)) return;
    seen = id;
    if (concerns(told)) look();
  }
  function show_life(is_live) {
    $("#live").hidden = false;
    $("#live").classList.toggle("lost", !is_live);
    $("#live").textContent = is_live ? "live" : "not connected";
  }
  function tell(what) {
    if (what.id !== undefined) hear(what);
    if (what.is_live !== undefined) show_life(what.is_live);
  }
  channel.addEventListener("message", ({ data }) => {
    if (!data.asks) tell(data);
    else if (leads) channel.postMessage({ id: seen, is_live: !$("#live").classList.contains("lost") });
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && stale) {
      stale = false;
      soon();
    }
  });
  setInterval(look, 30_000); // leases run out, and hours pass, without an event

  function follow() {
    return new Promise((over) => {
      const stream = new EventSource(`/events?since_id=${seen}`);
      const say = (what) => (tell(what), channel.postMessage(what));
      leads = true;
      stream.addEventListener("open", () => say({ is_live: true }));
      stream.addEventListener("message", (event) => say({ id: Number(event.lastEventId), told: event.data }));
      stream.addEventListener("reset", (event) => say({ id: Number(event.lastEventId), is_reset: true }));
      stream.addEventListener("error", () => {
        say({ is_live: false });
        if (stream.readyState === EventSource.CLOSED) setTimeout(over, 10_000);
      });
      addEventListener("pagehide", () => (stream.close(), (leads = false), over(true)), { once: true });
    });
  }
  async function read_on() {
    const one_more = () => (navigator.locks ? navigator.locks.request("events", follow) : follow());
    while (!(await one_more()));
  }
  addEventListener("pageshow", (event) => event.persisted && (look(), read_on()));
  channel.postMessage({ asks: true });
  read_on();
})();
