// composer_model
