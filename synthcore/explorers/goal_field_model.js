// goal_field_model
