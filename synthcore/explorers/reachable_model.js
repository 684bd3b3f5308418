// reachable_model
