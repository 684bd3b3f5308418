// navigation_views
