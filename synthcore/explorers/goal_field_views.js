// goal_field_views
