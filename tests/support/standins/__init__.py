"""What unit tests put in place of Slurm, of Apptainer and of a node.

==============  ================================================================
``commands``    Slurm's commands as shell scripts: what they say, how they fail
``node_slurm``  Slurm on a node, as scripts that remember what they were asked
``owners``      the accounts whose jobs a hub may not see
``node_job``    the node program as a job, without Slurm
``sif``         image files, signed and not, and an Apptainer that counts
==============  ================================================================
"""
