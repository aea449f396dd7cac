/*
 * Not a module: it runs before the page is painted, so that the theme is there from the first moment: the one that was
 * chosen here, else that of the system.
 */
(function () {
  const system = matchMedia("(prefers-color-scheme: dark)");
  function chosen() {
    try {
      return localStorage.getItem("streampoll-theme");
    } catch (error) {
      return null; // no storage
    }
  }
  function show() {
    const kept = chosen();
    document.documentElement.dataset.theme = kept === "light" || kept === "dark" ? kept : system.matches ? "dark" : "light";
  }
  show();
  system.addEventListener("change", show);
})();
