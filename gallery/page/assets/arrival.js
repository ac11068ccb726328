// Loads the page again when a part of it did not arrive. Browsers drop every request in flight when the network changes:
// a VPN connects, another Wi-Fi is joined, a container starts beside them. No module, so that it listens before others load.
(() => {
  const WAITS_MS = [500, 1000, 2000, 5000];
  const KEY = "climbtrack-incomplete"; // how often in a row, in this tab
  const isPart = ({ tagName }) => tagName === "SCRIPT" || tagName === "LINK";
  const remembered = (act, otherwise) => { try { return act(); } catch { return otherwise; } }; // storage may be forbidden
  let missing = false;

  window.addEventListener("error", ({ target }) => {
    if (missing || !isPart(target)) return;
    missing = true;
    const before = remembered(() => Number(sessionStorage.getItem(KEY) ?? 0), WAITS_MS.length);
    remembered(() => sessionStorage.setItem(KEY, before + 1));
    setTimeout(() => location.reload(), WAITS_MS[Math.min(before, WAITS_MS.length - 1)]);
  }, true);
  window.addEventListener("load", () => {
    if (missing) document.getElementById("incomplete").hidden = false;
    else remembered(() => sessionStorage.removeItem(KEY));
  });
})();
