"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  const clips = [...document.querySelectorAll(".clip")];
  const form = $("filters"), found = $("found"), nothing = $("nothing"), legend = $("legend"), theme = $("theme");
  const pressed = () => [...legend.querySelectorAll("[aria-pressed=true]")].map((b) => b.dataset.a);
  const prompts = clips.map((c) => c.querySelector("h2").textContent.toLowerCase());
  const actions = clips.map((c) => new Set(c.dataset.actions.split(" ")));

  // --- filters -------------------------------------------------------------------------------------------------
  function filter() {
    const words = form.elements.prompt.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = [...form.querySelectorAll("select")].filter((s) => s.value);
    const acts = pressed();
    let shown = 0;
    clips.forEach((clip, i) => {
      const fits = words.every((w) => prompts[i].includes(w)) &&
        wanted.every((s) => clip.dataset[s.name] === s.value) && acts.every((a) => actions[i].has(a));
      clip.hidden = !fits;
      if (!fits) stop(clip);
      shown += fits;
    });
    found.textContent = `${shown} of ${clips.length}`;
    nothing.hidden = shown > 0 || clips.length === 0;
  }
  form.hidden = clips.length === 0;
  form.addEventListener("input", filter);
  form.addEventListener("submit", (e) => e.preventDefault());
  form.addEventListener("reset", () => {
    legend.querySelectorAll("button").forEach((b) => b.setAttribute("aria-pressed", "false"));
    setTimeout(filter);
  });
  legend.addEventListener("click", (e) => {
    const button = e.target.closest("button");
    if (!button) return;
    button.setAttribute("aria-pressed", String(button.getAttribute("aria-pressed") !== "true"));
    filter();
  });

  // --- play on hover, on focus and on touch; one video at a time, made only when needed ------------------------------
  let playing = null;
  function start(clip) {
    if (playing === clip) return;
    if (playing) stop(playing);
    playing = clip;
    const screen = clip.querySelector(".screen"), head = clip.querySelector(".head");
    const bar = clip.querySelector(".bar");
    const video = document.createElement("video");
    Object.assign(video, { src: screen.dataset.video, muted: true, loop: true, playsInline: true, preload: "auto" });
    video.setAttribute("aria-hidden", "true");
    screen.append(video);
    screen.classList.add("on");
    video.play().catch(() => {});
    const move = () => {
      if (playing !== clip) return;
      const seconds = video.duration || Number(clip.dataset.seconds);
      if (bar && seconds) {
        head.hidden = false;
        head.style.left = `${bar.offsetLeft + bar.offsetWidth * Math.min(1, video.currentTime / seconds)}px`;
      }
      requestAnimationFrame(move);
    };
    move();
  }
  function stop(clip) {
    if (playing === clip) playing = null;
    const video = clip.querySelector("video");
    if (!video) return;
    video.pause();
    video.removeAttribute("src");
    video.load();
    video.remove();
    clip.querySelector(".screen").classList.remove("on");
    clip.querySelector(".head").hidden = true;
  }
  clips.forEach((clip) => {
    const screen = clip.querySelector(".screen");
    clip.addEventListener("pointerenter", (e) => { if (e.pointerType !== "touch") start(clip); });
    clip.addEventListener("pointerleave", (e) => { if (e.pointerType !== "touch") stop(clip); });
    screen.addEventListener("focus", () => { if (screen.matches(":focus-visible")) start(clip); });
    screen.addEventListener("blur", () => stop(clip));
    screen.addEventListener("click", (e) => {
      if (e.ctrlKey || e.metaKey || e.shiftKey) return;  // open the file in a tab as a link does
      e.preventDefault();
      const video = clip.querySelector("video");
      if (!video) start(clip);
      else if (video.paused) video.play().catch(() => {});
      else video.pause();
    });
  });
  // arrow keys walk through the visible clips
  $("clips").addEventListener("keydown", (e) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[e.key];
    if (!step || !e.target.matches(".screen")) return;
    const shown = clips.filter((c) => !c.hidden);
    const next = shown[shown.indexOf(e.target.closest(".clip")) + step];
    if (next) { e.preventDefault(); next.querySelector(".screen").focus(); }
  });

  // --- light and dark --------------------------------------------------------------------------------------------
  const root = document.documentElement;
  let kept = null;
  try { kept = localStorage.getItem("caresynth-theme"); } catch (e) { /* files may have no storage */ }
  if (kept === "light" || kept === "dark") root.dataset.theme = kept;
  theme.hidden = false;
  theme.addEventListener("click", () => {
    const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
    try { localStorage.setItem("caresynth-theme", root.dataset.theme); } catch (e) { /* stays for this visit */ }
  });
})();
