"""What all pages share: templates, headers, static files, posted forms, the frame on other sites."""
