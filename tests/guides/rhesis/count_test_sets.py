from flaskiq import BaseTask, with_tenant_context
from rhesis.backend.app import crud
from rhesis.backend.worker import app


@app.task(base=BaseTask, name="rhesis.backend.tasks.count_test_sets")
@with_tenant_context
def count_test_sets(self, db=None):
    """
    Task that counts total test sets.
    The db parameter is automatically provided with tenant context.
    """
    # Access context from task request
    org_id = getattr(self.request, 'organization_id', 'unknown')
    user_id = getattr(self.request, 'user_id', 'unknown')
    
    # The db session already has tenant context set
    test_sets = crud.get_test_sets(db)
    count = len(test_sets)
    
    return {
        "count": count,
        "organization_id": org_id,
        "user_id": user_id
    }
