from .method import nearest_token_project as nearest_token_project
