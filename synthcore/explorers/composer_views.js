// composer_views
