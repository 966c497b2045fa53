"""For the property tests: a site, hostile input, and what the site allows, told a second time."""
