-- By what way one has been in touch is chosen as well; activities keeps a copy of it, by which contact notes are judged.

ALTER TABLE dictionary_entry
    DROP CONSTRAINT dictionary_entry_kind_check,
    ADD CONSTRAINT dictionary_entry_kind_check
        CHECK (kind IN ('source', 'industry', 'release_reason', 'visit_method', 'category', 'key_criterion'));
INSERT INTO dictionary_entry (kind, code, label, position, is_active, version) VALUES
    ('visit_method', 'phone', '电话', 1, true, 1),
    ('visit_method', 'visit', '上门拜访', 2, true, 1),
    ('visit_method', 'chat', '微信/即时通讯', 3, true, 1),
    ('visit_method', 'mail', '邮件', 4, true, 1),
    ('visit_method', 'video', '视频会议', 5, true, 1),
    ('visit_method', 'reception', '客户来访', 6, true, 1),
    ('visit_method', 'exhibition', '展会', 7, true, 1),
    ('visit_method', 'other', '其他', 8, true, 1);
