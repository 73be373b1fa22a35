"""What all pages share: templates, headers, static files, the frame on other sites."""
