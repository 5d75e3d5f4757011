"""What failed programs leave behind, read without believing it: shared by the plug-ins that are about test runs."""
