// composition_grid_model
