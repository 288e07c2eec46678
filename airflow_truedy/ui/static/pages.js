// The theme of Airflow's UI, links out of its frame, and the refresh of what is marked data-live.
"use strict";
(() => {
  const applyTheme = () => {
    let theme = null;
    try { theme = localStorage.getItem("theme"); } catch { /* no storage: the system's theme stays */ }
    if (theme === "dark" || theme === "light") document.documentElement.dataset.theme = theme;
    else delete document.documentElement.dataset.theme;
  };
  applyTheme();
  addEventListener("storage", applyTheme);

  // Airflow's frame lets no link out. The page around it is of the same origin and may follow one.
  addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-out]");
    if (!link || window.parent === window || !/^https?:$/.test(link.protocol)) return;
    event.preventDefault();
    const outside = window.parent.document.createElement("a");
    outside.href = link.href;
    outside.rel = "noopener noreferrer";
    outside.target = link.target === "_blank" || event.ctrlKey || event.metaKey ? "_blank" : "_self";
    outside.click();
  });

  const refresh = async () => {
    if (document.hidden) return;
    const answer = await fetch(location.href, { cache: "no-store", credentials: "same-origin" });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("[data-live]");
    const shown = document.querySelector("[data-live]");
    if (answer.status === 401 || answer.status === 403) { location.reload(); return; }
    if (!answer.ok || !fresh) throw new Error(`${answer.status}`);
    delete document.body.dataset.old;
    const focused = shown.contains(document.activeElement) ? document.activeElement : null;
    const place = focused && focused.href ? `a[href="${CSS.escape(focused.getAttribute("href"))}"]` : focused && ".wide";
    const open = [...shown.querySelectorAll("details")].map((each) => each.open);
    const left = shown.querySelector(".wide")?.scrollLeft ?? 0;
    shown.replaceChildren(...fresh.childNodes);
    shown.querySelectorAll("details").forEach((each, at) => { each.open = open[at] ?? false; });
    const wide = shown.querySelector(".wide");
    if (wide) wide.scrollLeft = left;
    if (place) shown.querySelector(place)?.focus({ preventScroll: true });
  };
  addEventListener("DOMContentLoaded", () => {
    const seconds = Number(document.body.dataset.refresh);
    // An Airflow that does not answer is asked again next time; meanwhile the page tells that it is old.
    if (seconds) setInterval(() => refresh().catch(() => { document.body.dataset.old = ""; }), seconds * 1000);
  });
})();
