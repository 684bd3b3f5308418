// composition_model
