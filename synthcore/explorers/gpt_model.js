// gpt_model
