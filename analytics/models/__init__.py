"""Learned models: kept in the store as plain arrays, compared before they take over, watched for drift."""
