"""Interactive figures for the browser: one Python class, its JavaScript and its style sheet each.

An explorer is an anywidget: live in JupyterLab, VS Code and Colab, and just as alive on the static
site, where its data are embedded in the page and no kernel or network is needed. Explorers know
nothing of studies. Arrays go in; what the reader sees is drawn by plain JavaScript.
"""
