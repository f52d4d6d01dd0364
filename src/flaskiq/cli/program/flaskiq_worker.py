"""The program of a worker that another command starts. Nothing imports it: it is run by its path.

gevent and eventlet must have their way before anything else is imported, and a module of the
package would come after the package. The folder holds nothing else, since it comes first in
``sys.path``.
"""

from celery import maybe_patch_concurrency

maybe_patch_concurrency()

from flaskiq.cli import main  # noqa: E402 - see above

main()
