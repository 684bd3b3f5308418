// navigation_model
