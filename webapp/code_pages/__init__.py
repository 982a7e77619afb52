"""The generated code: shown, offered for download, and deployed."""
