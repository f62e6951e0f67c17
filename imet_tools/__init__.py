"""What `run_all.sh` runs: pipeline, labelling, museums, Kaggle bundle, sample painter."""
