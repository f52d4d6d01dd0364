"""What an app can register in its own web site.

::

    from flaskiq import web

    app.register_blueprint(web.tasks)                    # GET /tasks/<id>
    app.register_blueprint(web.tasks, url_prefix="/api")     # or GET /api/tasks/<id>
    app.register_blueprint(web.batches)                  # GET /batches/<id>
"""

from flaskiq.web.batches import batches
from flaskiq.web.tasks import tasks

__all__ = ["batches", "tasks"]
