"""Errors that no command told of itself, in words."""

import logging

from sqlalchemy.exc import DBAPIError

