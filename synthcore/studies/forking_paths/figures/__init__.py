"""One module per part of the chapter; what is drawn is a dataset or an example."""
