"""The report in the forms that people and CI servers read: JUnit XML and an HTML page."""
