// Where require.js finds what embedded widgets ask for: the local copies, never a CDN.
(function () {
  const vendor = (document.documentElement.dataset.content_root || "./") + "_static/vendor/";
  window.require.config({
    paths: {
      // tells the manager only where its icon fonts are
      "@jupyter-widgets/html-manager": vendor + "widgets/embed-amd",
      "@jupyter-widgets/html-manager/dist/libembed-amd": vendor + "widgets/embed-amd",
      anywidget: vendor + "anywidget/index",
    },
  });
})();
