/* Not a module: it runs before the page is painted, so that the theme that was chosen is there from the first moment. */
(function () {
  try {
    const chosen = localStorage.getItem("streampoll-theme");
    if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
  } catch (error) {
    // no storage: the system's theme
  }
})();
