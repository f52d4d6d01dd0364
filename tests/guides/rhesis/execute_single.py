from flaskiq import BaseTask
from rhesis.backend.worker import app


@app.task(base=BaseTask, bind=True, name="rhesis.backend.tasks.execute_single_test")
def execute_single_test(self, test_id, user_id=None, organization_id=None):
    # Access context from task request - task headers take precedence over kwargs
    task = self.request
    request_user_id = getattr(task, 'user_id', None)
    request_org_id = getattr(task, 'organization_id', None)

    # Use passed parameters if available, otherwise use request context
    user_id = user_id or request_user_id
    organization_id = organization_id or request_org_id
    return [[test_id, organization_id], {"status": "failed" if test_id == "bad" else user_id}]
