"""What methods, models and recipes share."""
