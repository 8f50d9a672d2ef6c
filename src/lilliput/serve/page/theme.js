/* A classic script in the head, so that the page never flashes in the wrong colours. */
"use strict";

(() => {
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  let chosen = null;
  try {
    chosen = localStorage.getItem("lilliput-theme");
  } catch {
    // Storage may be forbidden; the system's setting then holds.
  }

  function current() {
    return chosen === "dark" || chosen === "light" ? chosen : system.matches ? "dark" : "light";
  }

  function apply() {
    document.documentElement.dataset.theme = current();
    const button = document.getElementById("theme");
    if (button) button.textContent = current() === "dark" ? "Light" : "Dark";
    if (button) button.setAttribute("aria-label", current() === "dark" ? "Light colours" : "Dark colours");
    document.dispatchEvent(new CustomEvent("themechange"));
  }

  system.addEventListener("change", apply);
  apply();
  document.addEventListener("DOMContentLoaded", () => {
    apply();
    document.getElementById("theme").addEventListener("click", () => {
      chosen = current() === "dark" ? "light" : "dark";
      try {
        localStorage.setItem("lilliput-theme", chosen);
      } catch {
        // The choice then lasts as long as the page.
      }
      apply();
    });
  });
})();
