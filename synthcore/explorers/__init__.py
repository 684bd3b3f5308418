"""Interactive figures for the browser, each in a folder: `__init__.py` has the Python class,
`model.js` computes, `view.js` draws, `style.css` dresses. `shared` is what several use.

An explorer is an anywidget: live in JupyterLab, VS Code and Colab, and just as alive on the static
site, where its data are embedded in the page and no kernel or network is needed. Explorers know
nothing of studies. Arrays go in; what the reader sees is drawn by plain JavaScript.
"""
