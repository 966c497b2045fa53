"""JupyterLab's panel *Data* and the notebook widgets in a browser.

==================  ==============================================================
``seeding``         a catalogue of as many records as a facility has, quickly
``server``          a Jupyter server of its own, without a hub
``catalogue_down``  a catalogue's address with something wrong behind it
``lab``             what a person does in JupyterLab's page
``axe``             axe-core on a part of a page
``contrast``        whether its texts can be read
==================  ==============================================================
"""
