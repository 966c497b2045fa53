"""Template notebooks: a folder of ``template.ipynb``, ``card.yaml`` and ``README.md``.

``card`` says what a template is, ``find`` where it is, ``parameters`` what it may be given,
``check`` whether it is in order, ``inputs`` and ``destination`` what a run reads and where it
writes, ``execution`` talks to papermill, ``runner`` does one run.
"""
